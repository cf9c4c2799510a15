"""What is published of the Python client: an sdist and a wheel, which has everything that is imported."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent.parent / "clients" / "python"


def test_the_sdist_and_the_wheel_have_every_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(CLIENT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    [wheel], [sdist] = tmp_path.glob("dist/*.whl"), tmp_path.glob("dist/*.tar.gz")
    modules = {path.name for path in (CLIENT / "src" / "tollgate_client").iterdir() if path.is_file()}
    assert modules == {
        Path(name).name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("tollgate_client/")
    }
    with tarfile.open(sdist) as archive:
        assert modules <= {Path(name).name for name in archive.getnames()}
