"""What a request or an event needs, and nothing else: this folder and app.py are what is deployed."""

__version__ = "0.1.0"
