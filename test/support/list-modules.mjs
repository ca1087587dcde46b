/** Preload (`node --import`): writes the URL of every module that the process resolved to LIST_MODULES_TO. */
import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const urls = new Set()
registerHooks({
  resolve(specifier, context, next) {
    const result = next(specifier, context)
    urls.add(result.url)
    return result
  },
})
process.on('exit', () => writeFileSync(process.env.LIST_MODULES_TO, [...urls].join('\n')))
