import type { OptionTable } from '../driver.ts'

export const localOptions: OptionTable = {
  subnet: {
    summary: 'Subnet of the local machines of this storage, such as 192.168.200.0/24; else a free one.',
    type: 'string',
    env: 'TSMACHINE_LOCAL_SUBNET',
  },
  runtime: {
    summary: 'OCI runtime that starts the host: tshost (our own, the default), crun or runc.',
    type: 'string',
    env: 'TSMACHINE_LOCAL_RUNTIME',
  },
}
