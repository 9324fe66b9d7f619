"""What it costs to count requests: one server that counts and one that does not, in turns.

`python -m serving.bench.watching MODEL --models DIR`
"""

import asyncio
