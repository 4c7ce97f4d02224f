"""What a team runs beside a stack: the doctor, why somebody got nothing, and push applications."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
