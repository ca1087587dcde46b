import Deploy from '../deploy.ts'

/** The same command under the name that docker has for it. */
export default class StackDeploy extends Deploy {
  static override examples = ['<%= config.bin %> stack deploy -c compose.yaml shop']
}
