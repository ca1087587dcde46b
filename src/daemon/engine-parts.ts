/** The engine's folders know each other by narrow interfaces only; here those are filled in. */
import type {
  ContainerImages,
  ContainerNetworks,
  ContainerVolumes,
  NetworkRequest,
} from '../engine/containers/context.ts'
import type { ImageStore } from '../engine/images/store.ts'
import type { ContainerRequest, Networks } from '../engine/network/networks.ts'
import type { VolumeStore } from '../engine/volumes/store.ts'

export function imagesFor(images: ImageStore): ContainerImages {
  return {
    get layersFolder() {
      return images.layersFolder
    },
    resolve: (reference) => images.resolve(reference),
    identity: (user, extraGroups, folders) => images.identity(user, extraGroups, folders),
  }
}

export function networksFor(
  networks: Networks,
  resolveContainer: (ref: string) => string,
): ContainerNetworks {
  const toRequest = (
    request: NetworkRequest,
    networkMode = fullMode(request.networkMode, resolveContainer),
  ): ContainerRequest => ({
    id: request.id,
    name: request.name,
    hostname: request.hostname,
    networkMode,
    endpoints: request.endpoints,
    ports: { bindings: request.ports, exposed: request.exposedPorts, publishAll: request.publishAll },
    wishes: {
      domainname: request.domainname || undefined,
      extraHosts: request.dns.ExtraHosts ?? undefined,
      dns: {
        ...(request.dns.Dns.length > 0 ? { servers: request.dns.Dns } : {}),
        ...(request.dns.DnsSearch.length > 0 ? { search: request.dns.DnsSearch } : {}),
        ...(request.dns.DnsOptions.length > 0 ? { options: request.dns.DnsOptions } : {}),
      },
    },
  })
  return {
    validate: (request) => networks.checkContainer(toRequest(request)),
    attach: (request) => {
      const { namespace, files } = networks.attachContainer(toRequest(request))
      return { namespace, ...files }
    },
    detach: (id) => networks.detachContainer(id),
    adopt: (id, pid) => void networks.adoptContainer(id, pid),
    rename: (id, name) => networks.renameContainer(id, name),
    view: (request) =>
      // The container that it shares the network of may be gone.
      networks.containerSettings(toRequest(request, request.networkMode)) as unknown as ReturnType<
        ContainerNetworks['view']
      >,
  }
}

/** "container:web" -> "container:" and the full id. */
function fullMode(mode: string, resolveContainer: (ref: string) => string): string {
  const other = /^container:(.+)$/.exec(mode)?.[1]
  return other ? `container:${resolveContainer(other)}` : mode
}

export function volumesFor(volumes: VolumeStore, images: ImageStore): ContainerVolumes {
  return {
    ensure: (request) => volumes.ensure(request),
    populate: (name, layers, path) =>
      volumes.populate(name, (folder) => images.copyOut(layers, path, folder)),
    removeAnonymous: (name) => volumes.removeAnonymous(name),
  }
}
