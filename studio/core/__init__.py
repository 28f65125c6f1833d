"""What every package stands on: errors, paths, hardware, model names, chat templates, the Hub."""
