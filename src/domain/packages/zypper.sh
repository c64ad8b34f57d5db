# zypper.
