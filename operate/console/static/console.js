// The operator's console: the shared views alone.

import { start } from "./shell.js";

start();
