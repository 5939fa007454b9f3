#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# image.sh CACHE SUITE [PACKAGES]: build the disk of the test VM once, and print the folder with disk, kernel, initrd and key.
# PACKAGES (separated by commas) are installed in addition.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
suite=$2
image=$1/$suite-$({ cat "$here/image.sh"; echo "${3-}"; } | sha256sum | cut -c 1-12)
work=$image.new
root=$work/root
packages=at,cron,dbus,initramfs-tools,iproute2,libpam-systemd,linux-image-cloud-amd64,openssh-server,procps,python3,sudo,systemd-sysv${3:+,$3}

# The package servers and the proxy of the other test hosts.
of_test_hosts() { PYTHONPATH=$here/../hosts PYTHONDONTWRITEBYTECODE=1 python3 -c "from testhosts import suite; print($1)"; }

install_packages() {
  local sources proxy
  mapfile -t sources < <(of_test_hosts "'\n'.join(suite.sources('$suite'))")
  proxy=$(of_test_hosts 'suite.upstream_proxy()')
  http_proxy=$proxy https_proxy=$proxy mmdebstrap --quiet --variant=apt --include="$packages" --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$root" "${sources[@]}"
}

# As on EC2: the user ubuntu, a key, sudo without a password.
configure() {
  chroot "$root" useradd --create-home --shell /bin/bash --groups sudo ubuntu
  install -d -m 0700 "$root/home/ubuntu/.ssh"
  install -m 0600 "$work/key.pub" "$root/home/ubuntu/.ssh/authorized_keys"
  chroot "$root" chown -R ubuntu: /home/ubuntu/.ssh
  echo 'ubuntu ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/90-cloud-init-users"
  echo 'PasswordAuthentication no' >"$root/etc/ssh/sshd_config.d/50-test-vm.conf"
  echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
  echo vm >"$root/etc/hostname"
  printf '127.0.0.1 localhost\n127.0.1.1 vm\n' >"$root/etc/hosts"
  printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/10-lan.network"
  systemctl --quiet --root "$root" enable systemd-networkd.service
  systemctl --quiet --root "$root" mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer
}

if [[ ! -e $image ]]; then
  echo "test vm: building the image ($suite), once; it takes about a minute" >&2
  rm -rf "$work"
  mkdir -p "$work"
  ssh-keygen -q -t ed25519 -N '' -C test-vm -f "$work/key"
  { install_packages && configure; } >&2
  cp -L "$root"/boot/vmlinuz-* "$work/kernel"
  cp -L "$root"/boot/initrd.img-* "$work/initrd"
  mke2fs -q -t ext4 -L root -d "$root" "$work/root.img" 3G >&2
  rm -rf "$root"
  mv -T "$work" "$image"
fi
echo "$image"
