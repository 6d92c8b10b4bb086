"""Where the tests find the shared data: real documents, published policies and labels."""

import os
from pathlib import Path

# The mutation tests run on a copy of the tree that lies elsewhere.
_GIVEN = os.environ.get("STRONGROOM_SHARED_DATA")
SHARED = Path(_GIVEN) if _GIVEN else Path(__file__).resolve().parents[2] / "shared" / "data"
DOCUMENTS = SHARED / "documents"
POLICIES = SHARED / "policies"
