"""What every service does once: settings, records, publishing, documents, logs, health."""
