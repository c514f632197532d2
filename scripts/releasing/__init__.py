"""Keys and signatures of releases. See scripts/release."""
