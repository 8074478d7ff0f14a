"""Prometheus' rules, Alertmanager's inhibition and Grafana's dashboards, generated from data."""
