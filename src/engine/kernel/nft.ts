/**
 * nftables (nft(8)): a text of commands is applied in one transaction, or not at all. By libnftables where the
 * host has it, which starts no process (libnftables(3)); by the `nft` command where there is only that.
 * Everything happens on the calling thread, and inside another namespace if asked.
 */
import { spawnSync } from 'node:child_process'
import { messageOf } from '../../shared/errors.ts'
import { loadLibrary } from './libc.ts'
import { NETLINK_NETFILTER, NetlinkSocket } from './netlink.ts'
import { decodeAttributes } from './netlink-wire.ts'
import { inNamespace } from './netns.ts'

/**
 * nft refused; the message is its own first reason, `words` all that it said. (The library quotes the first
 * line of what it was given, whichever was at fault, so quotes are not in the message.)
 */
export class NftError extends Error {
  override readonly name = 'NftError'
  readonly code = 'E_NFT'
  readonly words: string
  constructor(words: string) {
    const reason = words
      .trim()
      .split('\n')[0]
      ?.replace(/^(?:\S+: )?Error: /, '')
    super(`nft: ${reason || 'failed without a word'}`)
    this.words = words
  }
}

export interface Nft {
  /** "library" or "command". */
  readonly kind: 'library' | 'command'
  /**
   * Opens the door to one namespace.
   * @param namespace a descriptor of it, which must stay open as long; this thread's when left out
   */
  open(namespace?: number): NftSession
}

/** One namespace's rules. */
export interface NftSession {
  /**
   * Runs commands as one transaction.
   * @returns what they printed
   * @throws NftError; nothing has changed then
   */
  run(commands: string): string
  /**
   * Where rules were removed within the last moments, this waits some 10 ms for the kernel to be done with them
   * (nft_rcv_nl_event); which is why a session is kept and not opened for each transaction.
   */
  close(): void
}

const soname = 'libnftables.so.1'

/**
 * @param kind asks for one of the two; the library, else the command, when left out
 * @throws NftError where the host has neither
 */
export function openNft(kind?: 'library' | 'command'): Nft {
  if (kind === 'command') return openCommand()
  try {
    return openLibrary()
  } catch (error) {
    if (kind === 'library') throw new NftError(messageOf(error))
    return openCommand()
  }
}

function openLibrary(): Nft {
  const library = loadLibrary(soname)
  const fn = <F>(declaration: string) => library.func(declaration) as unknown as F
  const contextNew = fn<(flags: number) => unknown>('void *nft_ctx_new(uint32_t)')
  const contextFree = fn<(context: unknown) => void>('void nft_ctx_free(void *)')
  const bufferOutput = fn<(context: unknown) => number>('int nft_ctx_buffer_output(void *)')
  const bufferError = fn<(context: unknown) => number>('int nft_ctx_buffer_error(void *)')
  const outputOf = fn<(context: unknown) => string>('const char *nft_ctx_get_output_buffer(void *)')
  const errorOf = fn<(context: unknown) => string>('const char *nft_ctx_get_error_buffer(void *)')
  const runBuffer = fn<(context: unknown, commands: string) => number>(
    'int nft_run_cmd_from_buffer(void *, const char *)',
  )
  return {
    kind: 'library',
    open(namespace) {
      // The context's socket belongs to the namespace that it is made in. It may be made anew in any run.
      const context = inNamespace(namespace, () => contextNew(0))
      if (!context) throw new NftError('libnftables has no memory')
      bufferOutput(context)
      bufferError(context)
      return {
        run: (commands) =>
          inNamespace(namespace, () => {
            if (runBuffer(context, commands) !== 0) throw new NftError(errorOf(context))
            return outputOf(context)
          }),
        close: () => contextFree(context),
      }
    },
  }
}

function openCommand(): Nft {
  const { error } = spawnSync('nft', ['--version'])
  if (error) throw new NftError(`the host has neither ${soname} nor the nft command: ${error.message}`)
  return {
    kind: 'command',
    open: (namespace) => ({
      // The child is forked by this thread, and so starts in the namespace that this thread is in.
      run: (commands) => inNamespace(namespace, () => runCommand(commands)),
      close: () => undefined,
    }),
  }
}

function runCommand(commands: string): string {
  const { status, stdout, stderr, error } = spawnSync('nft', ['-f', '-'], {
    input: commands,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (error) throw new NftError(error.message)
  if (status !== 0) throw new NftError(stderr)
  return stdout
}

const NFNL_SUBSYS_NFTABLES = 10
const NFT_MSG_GETGEN = 16
const NFTA_GEN_ID = 1

/**
 * The number of the ruleset's generation (NFT_MSG_GETGEN): each transaction of anybody in the namespace adds
 * one, so an unchanged number means an unchanged ruleset.
 */
export class NftGeneration {
  readonly #socket: NetlinkSocket

  constructor(namespace?: number) {
    this.#socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace })
  }

  /** @throws SystemCallError */
  read(): number {
    const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN
    const body = Buffer.alloc(4) // struct nfgenmsg
    const found = this.#socket.get({ what: 'get the nftables generation', type, flags: 0, body })
    return (
      decodeAttributes(found?.body.subarray(4) ?? Buffer.alloc(0))
        .get(NFTA_GEN_ID)
        ?.readUInt32BE() ?? 0
    )
  }

  close(): void {
    this.#socket.close()
  }
}
