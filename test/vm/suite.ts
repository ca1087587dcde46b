/** What runs inside the guest: the integration tests that need nothing but a kernel. */
import '../integration/engine/runtime/tape.test.ts'
import '../integration/engine/runtime/container.test.ts'
import { runAll } from './vitest.ts'

process.exitCode = (await runAll()) ? 0 : 1
