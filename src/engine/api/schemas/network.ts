/** Types of the bodies of /networks. */
import { boolean, integer, list, map, nullable, object, string } from '../../../shared/schema.ts'
import { checker } from './check.ts'

export const endpointSchema = nullable(
  object({
    IPAMConfig: nullable(object({ IPv4Address: string, IPv6Address: string, LinkLocalIPs: list(string) })),
    Aliases: list(string),
    MacAddress: string,
    DriverOpts: map(string),
    Links: list(string),
    GwPriority: integer,
  }),
)

/** @throws E_BODY_FIELD */
export const checkNetwork = checker(
  object(
    {
      Name: { type: 'string', minLength: 1, maxLength: 255 },
      Driver: string,
      Scope: string,
      Internal: boolean,
      Attachable: boolean,
      Ingress: boolean,
      ConfigOnly: boolean,
      ConfigFrom: nullable(object({ Network: string })),
      IPAM: nullable(
        object({
          Driver: string,
          Options: map(string),
          Config: list(
            object({ Subnet: string, IPRange: string, Gateway: string, AuxiliaryAddresses: map(string) }),
          ),
        }),
      ),
      EnableIPv4: boolean,
      EnableIPv6: boolean,
      Options: map(string),
      Labels: map(string),
    },
    ['Name'],
  ),
)

/** @throws E_BODY_FIELD */
export const checkConnect = checker(
  object({ Container: { type: 'string', minLength: 1 }, EndpointConfig: endpointSchema, Force: boolean }, [
    'Container',
  ]),
)
