"""The studio as one object: its worker thread, library, backups, and disk usage."""
