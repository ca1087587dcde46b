import { openMemoryStore } from '../../../../src/swarm/store/memory.ts'
import { describeStore } from '../../../contract/store.ts'

describeStore('memory', async () => openMemoryStore())
