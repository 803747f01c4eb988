import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, numpy
from nc_runner.training import memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        numpy.ones(2**23)  # 64 MiB, 16384 pages, and free again
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

usual = faults()
memory.keep_freed()
numpy.ones(2**23)
kept, held = faults(), resident()
memory.release_freed()
print(usual, kept, held - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a C library other than glibc keeps what it likes")
def test_freed_memory_is_kept_until_it_is_released() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    usual, kept, released = map(int, done.stdout.split())
    assert kept < usual / 10
    assert released > 16_000
