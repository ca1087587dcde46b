/** Which image to boot: looked up by its maker and its name, so that nothing here grows old. */
import type { Image } from '@aws-sdk/client-ec2'
import { fail } from '../../errors.ts'
import type { ChosenImage } from './made.ts'
import type { Session } from './session.ts'

interface Family {
  name: string
  /** The account that publishes it. */
  owner: string
  pattern: (architecture: string) => string
  /** The release in an image's name, comparable as text; undefined for one that is not wanted. */
  release: (name: string) => string | undefined
}

const debianArchitecture: Record<string, string> = { x86_64: 'amd64', arm64: 'arm64' }

/** Most wanted first. */
export const families: readonly Family[] = [
  {
    name: 'Ubuntu LTS',
    // https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
    owner: '099720109477',
    pattern: (architecture) => `ubuntu/images/hvm-ssd*/ubuntu-*-${debianArchitecture[architecture]}-server-*`,
    // An LTS is April's release of an even year.
    release: (name) => /-((?:\d[02468])\.04)-/.exec(name)?.[1],
  },
  {
    name: 'Debian',
    // https://wiki.debian.org/Cloud/AmazonEC2Image
    owner: '136693071363',
    pattern: (architecture) => `debian-*-${debianArchitecture[architecture]}-*`,
    release: (name) => /^debian-(\d{2,3})-/.exec(name)?.[1]?.padStart(3, '0'),
  },
]

/** The newest image of the newest release, or undefined. */
export function newestImage(images: readonly Image[], { release }: Family): Image | undefined {
  const keyOf = ({ Name = '', CreationDate = '' }: Image) => `${release(Name)} ${CreationDate}`
  return images
    .filter(({ Name = '' }) => release(Name) !== undefined)
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? 1 : -1))[0]
}

/**
 * The image for an architecture ("x86_64" or "arm64").
 * @throws E_EC2_MISSING
 */
export async function findImage(session: Session, architecture: string): Promise<ChosenImage> {
  const { ec2, settings, region } = session
  if (settings.image !== undefined) {
    const { Images = [] } = await ec2.call('DescribeImages', { ImageIds: [settings.image] })
    const [image] = Images
    if (!image || image.Architecture !== architecture)
      throw fail('E_EC2_MISSING', { what: `image ${settings.image} for ${architecture}`, region })
    return chosen(image)
  }
  for (const family of families) {
    const { Images = [] } = await ec2.call('DescribeImages', {
      Owners: [family.owner],
      Filters: [
        { Name: 'name', Values: [family.pattern(architecture)] },
        { Name: 'architecture', Values: [architecture] },
        { Name: 'state', Values: ['available'] },
        { Name: 'root-device-type', Values: ['ebs'] },
        { Name: 'virtualization-type', Values: ['hvm'] },
      ],
    })
    const image = newestImage(Images, family)
    if (image) return chosen(image)
  }
  const names = families.map(({ name }) => name).join(' or ')
  throw fail('E_EC2_MISSING', { what: `image of ${names} for ${architecture}`, region })
}

function chosen({
  ImageId = '',
  Name = '',
  RootDeviceName = '/dev/sda1',
  BlockDeviceMappings,
}: Image): ChosenImage {
  const root = BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === RootDeviceName)
  return { id: ImageId, name: Name, rootDevice: RootDeviceName, rootGb: root?.Ebs?.VolumeSize ?? 1 }
}
