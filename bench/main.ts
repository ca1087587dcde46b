/** `npm run bench -- NAME...`: the benches by name, all of them when none is given. */
const benches: Record<string, () => Promise<void>> = {
  network: async () => (await import('./network.ts')).benchNetwork(),
  start: async () => (await import('./start.ts')).benchStart(),
}

const names = process.argv.slice(2)
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  const bench = benches[name]
  if (!bench) {
    console.error(`no bench is called ${name}; there are: ${Object.keys(benches).join(', ')}`)
    process.exit(2)
  }
  console.log(`== ${name}`)
  await bench()
}
