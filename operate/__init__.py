"""What a team runs beside a deployed stack: the doctor, and push applications."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
