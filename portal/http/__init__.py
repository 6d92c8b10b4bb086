"""What pages and API share at the edge: who is asking, bodies coming in, content going out, errors."""
