# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Sphinx's settings for the docs site: `make docs-site`."""

project = "nova.agent_host"
copyright = "Contributors to nova.agent_host"
title = html_short_title = "Hosts for coding agents"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_theme = "sphinx_ansible_theme"
html_theme_options = {"topbar_links": {}}  # by default Ansible's own
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
display_version = False
html_use_smartypants = True
html_use_modindex = False
html_use_index = False
html_copy_source = False
default_role = "any"
nitpicky = False
myst_heading_anchors = 3
# The reference names labels of Ansible's own documentation; the guides' links are checked as myst.xref_missing.
# decisions/README lists the decisions, as it does where the repository is read.
suppress_warnings = ["ref.ref", "toc.empty_glob", "toc.not_included"]
