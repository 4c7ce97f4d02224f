"""The store of submit: new notifications, and reading them again."""
