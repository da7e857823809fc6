"""The way in for programs that know nothing of us: proxy, gateway, names, whole commands."""
