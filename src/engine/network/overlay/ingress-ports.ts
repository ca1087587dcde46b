/**
 * The ports of this host that the swarm's services are published on, held so that no program takes them. One
 * that a program has already is left to it: better a port that does not answer for the swarm than a host whose
 * SSH server has vanished.
 */
import { closeSync } from 'node:fs'
import { messageOf } from '../../../shared/errors.ts'
import { reservePort } from '../../kernel/netns-sockets.ts'
import type { HostDoors } from '../context.ts'
import type { IngressPort } from './state.ts'

export class IngressPorts {
  readonly #doors: HostDoors
  readonly #held = new Map<string, number>()

  constructor(doors: HostDoors) {
    this.#doors = doors
  }

  /**
   * Holds the wanted ports, lets go of the others.
   * @param problems gets a sentence for each that can't be held
   * @returns those that are held
   */
  hold(wanted: readonly IngressPort[], problems: string[]): IngressPort[] {
    const keys = new Set(wanted.map(keyOf))
    for (const [key, fd] of this.#held) {
      if (keys.has(key)) continue
      closeSync(fd)
      this.#held.delete(key)
    }
    return wanted.filter((port) => this.#holdOne(port, problems))
  }

  close(): void {
    for (const fd of this.#held.values()) closeSync(fd)
    this.#held.clear()
  }

  #holdOne(ingress: IngressPort, problems: string[]): boolean {
    const key = keyOf(ingress)
    if (this.#held.has(key)) return true
    const { protocol, publishedPort: port } = ingress
    try {
      const { namespace } = this.#doors
      this.#held.set(key, reservePort({ protocol, address: '0.0.0.0', port, namespace }))
      return true
    } catch (error) {
      problems.push(`port ${port}/${protocol} of service ${ingress.service}: ${messageOf(error)}`)
      return false
    }
  }
}

function keyOf({ protocol, publishedPort }: IngressPort): string {
  return `${protocol}/${publishedPort}`
}
