/**
 * A NoCloud seed: a tiny ISO 9660 image named "cidata" with two files. Written here, in as many lines as it takes
 * to call a tool that is named otherwise on each system, if it is there at all.
 * https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html
 * https://ecma-international.org/publications-and-standards/standards/ecma-119/
 */

const sector = 2048
/** Sixteen empty sectors, two volume descriptors, two path tables, the root folder; then the files. */
const layout = { primary: 16, end: 17, littleTable: 18, bigTable: 19, root: 20, files: 21 }

/**
 * The image, the same for the same files. Names are as the guest is to see them: in lower case, of letters,
 * digits and dashes; Linux shows the upper case of the image so.
 */
export function makeSeed(files: Record<string, string | Uint8Array>, label = 'cidata'): Buffer {
  let next = layout.files
  const entries = Object.entries(files)
    // The order in a folder is that of the names.
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => {
      const data = Buffer.from(content)
      const at = next
      next += Math.max(1, Math.ceil(data.length / sector))
      return { id: Buffer.from(`${name.toUpperCase()}.;1`, 'latin1'), data, at }
    })
  const image = Buffer.alloc(next * sector)
  const root = (id: number) =>
    record({ id: Buffer.from([id]), at: layout.root, bytes: sector, isFolder: true })
  writeDescriptor(image.subarray(layout.primary * sector), { label, sectors: next, root: root(0) })
  image.write('\xffCD001\x01', layout.end * sector, 'latin1')
  // One folder, the root, whose parent it is itself: length of its name, extent, parent, name.
  const table = image.subarray(layout.littleTable * sector)
  table.writeUInt8(1, 0)
  table.writeUInt32LE(layout.root, 2)
  table.writeUInt16LE(1, 6)
  const bigTable = image.subarray(layout.bigTable * sector)
  bigTable.writeUInt8(1, 0)
  bigTable.writeUInt32BE(layout.root, 2)
  bigTable.writeUInt16BE(1, 6)
  const folder = Buffer.concat([
    root(0),
    root(1),
    ...entries.map(({ id, data, at }) => record({ id, at, bytes: data.length, isFolder: false })),
  ])
  folder.copy(image, layout.root * sector)
  for (const { data, at } of entries) data.copy(image, at * sector)
  return image
}

/** Numbers stand there twice, once in each byte order. */
function both32(to: Buffer, value: number, at: number): void {
  to.writeUInt32LE(value, at)
  to.writeUInt32BE(value, at + 4)
}

function both16(to: Buffer, value: number, at: number): void {
  to.writeUInt16LE(value, at)
  to.writeUInt16BE(value, at + 2)
}

function record(entry: { id: Buffer; at: number; bytes: number; isFolder: boolean }): Buffer {
  const { id, at, bytes, isFolder } = entry
  const length = 33 + id.length + (id.length % 2 === 0 ? 1 : 0)
  const to = Buffer.alloc(length)
  to.writeUInt8(length, 0)
  both32(to, at, 2)
  both32(to, bytes, 10)
  // 1 January 2000: a date that is valid, and each time the same.
  to.set([100, 1, 1, 0, 0, 0, 0], 18)
  to.writeUInt8(isFolder ? 2 : 0, 25)
  both16(to, 1, 28)
  to.writeUInt8(id.length, 32)
  id.copy(to, 33)
  return to
}

function writeDescriptor(
  to: Buffer,
  { label, sectors, root }: { label: string; sectors: number; root: Buffer },
) {
  to.write('\x01CD001\x01', 0, 'latin1')
  // Its texts are padded with blanks; those from 190 on are names of publishers and files, all empty.
  to.fill(' ', 8, 72)
  to.write(label, 40, 32, 'latin1')
  both32(to, sectors, 80)
  both16(to, 1, 120)
  both16(to, 1, 124)
  both16(to, sector, 128)
  both32(to, 10, 132)
  to.writeUInt32LE(layout.littleTable, 140)
  to.writeUInt32BE(layout.bigTable, 148)
  root.copy(to, 156)
  to.fill(' ', 190, 813)
  for (const at of [813, 830, 847, 864]) to.write('2000010100000000\0', at, 'latin1')
  to.writeUInt8(1, 881)
}
