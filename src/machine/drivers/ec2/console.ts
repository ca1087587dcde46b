/** What the instance wrote on its console: the only witness where SSH never comes. */
import type { Session } from './session.ts'

/** About what fits under an error without pushing it off the screen. */
const lastLines = 12

/** Its last lines, or a word on why there are none. EC2 updates it some minutes after the boot. */
export async function consoleTail({ ec2, made }: Session): Promise<string> {
  try {
    const { Output } = await ec2.call('GetConsoleOutput', { InstanceId: made.instance?.id, Latest: true })
    return tailOf(Buffer.from(Output ?? '', 'base64').toString('utf8')) || 'empty so far'
  } catch {
    // Not every type can give the latest, and the error that led here is the one to show.
    return 'not to be had'
  }
}

/** The last lines that say something, without the escape sequences of a terminal. */
export function tailOf(text: string): string {
  return text
    .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
    .split(/\r?\n/)
    .map((line) => line.replace(/[\x00-\x08\x0b-\x1f]/g, '').trimEnd())
    .filter((line) => line !== '')
    .slice(-lastLines)
    .join('\n')
}
