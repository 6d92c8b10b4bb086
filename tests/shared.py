"""Where the tests find the shared data: real documents, published policies and labels."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DOCUMENTS = SHARED / "documents"
POLICIES = SHARED / "policies"
