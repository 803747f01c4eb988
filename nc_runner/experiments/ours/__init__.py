"""Questions of our own, which belong to no one paper."""
