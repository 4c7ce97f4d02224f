"""The command `dovecote`: one module per subcommand, which reads options and prints results."""
