"""Exit 1 where the last heartbeat is older than three seconds."""

import sys
import time
from pathlib import Path

trials = Path(sys.argv[sys.argv.index("--trials") + 1])
age = time.time() - (trials / "heartbeat").stat().st_mtime
print(f"heartbeat {age:.1f} s ago")
sys.exit(age > 3)
