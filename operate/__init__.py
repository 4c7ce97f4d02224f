"""What a team runs beside a stack: doctor, console, why somebody got nothing, push applications."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
