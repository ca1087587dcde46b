import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP relay whose traffic can be stopped without either side hearing of it: a cable that is pulled. */
export class PausableProxy {
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()
  #isCut = false

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1')
      const pair: [Socket, Socket] = [near, far]
      this.#pairs.add(pair)
      const [a, b] = pair
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        from.on('data', (chunk) => to.write(chunk))
        from.on('end', () => to.end())
        from.on('error', () => to.destroy())
        from.on('close', () => {
          to.destroy()
          this.#pairs.delete(pair)
        })
      }
      if (this.#isCut) this.#pause(pair)
    })
  }

  /** @param port where it listens; the same from start to end */
  static async open(port: number, targetPort: number): Promise<PausableProxy> {
    const proxy = new PausableProxy(targetPort)
    await new Promise<void>((resolve) => proxy.#server.listen(port, '127.0.0.1', resolve))
    return proxy
  }

  cut(): void {
    this.#isCut = true
    for (const pair of this.#pairs) this.#pause(pair)
  }

  mend(): void {
    this.#isCut = false
    for (const pair of this.#pairs) for (const socket of pair) socket.resume()
  }

  async close(): Promise<void> {
    for (const [near, far] of this.#pairs) {
      near.destroy()
      far.destroy()
    }
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pause(pair: [Socket, Socket]): void {
    for (const socket of pair) socket.pause()
  }
}
