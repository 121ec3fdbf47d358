"""Parts shared by several networks; pure torch."""
