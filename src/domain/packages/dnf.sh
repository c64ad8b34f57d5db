# dnf.
