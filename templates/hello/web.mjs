/**
 * Says who answers, and how many requests the stack has had: the number comes from the service "counter",
 * which is asked by its name.
 */
import { createServer } from 'node:http'

const { COUNTER, NODE_NAME, TASK_NAME } = process.env

const server = createServer(async (request, response) => {
  if (request.url === '/health') {
    response.end('well\n')
    return
  }
  try {
    const answer = await fetch(COUNTER, { signal: AbortSignal.timeout(3000) })
    const { count } = await answer.json()
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify({ hello: 'world', node: NODE_NAME, task: TASK_NAME, count })}\n`)
  } catch (error) {
    response.statusCode = 502
    response.end(`${NODE_NAME} can't reach the counter: ${error.message}\n`)
  }
})
server.listen(8080, () => console.log(`${TASK_NAME} on ${NODE_NAME} listens on port 8080`))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
