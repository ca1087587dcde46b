/**
 * Counts requests, for as long as it lives.
 */
import { createServer } from 'node:http'

let count = 0
const server = createServer((_, response) => {
  count++
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ count })}\n`)
})
server.listen(8080, () => console.log('counting on port 8080'))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
