"""Connects orders to contacts, checks articles and stores, requests actions."""
