import { randomInt } from 'node:crypto'

const qualities =
  'able agile amber ample apt avid bold brave brisk calm candid clear clever cosy crisp dapper deft eager early even fair fleet fond frank fresh gentle glad grand hardy hasty jolly keen kind level light lively lucid mellow merry mild modest neat nimble noble patient plucky polite prime proud quick quiet rapid ready robust rosy serene sharp silent simple sleek smart snug solid spry stable steady still stout subtle sunny swift tidy trim trusty upbeat vivid warm wise witty zesty'.split(
    ' ',
  )
const beings =
  'badger beaver bison bittern bunting caribou chamois cormorant crane curlew dipper dormouse dunlin egret eider ermine falcon ferret finch gannet gecko godwit goshawk grebe grouse gull hare harrier heron hoopoe ibex ibis jackdaw jay kestrel kingfisher kite lapwing lark linnet lynx magpie marmot marten martin merlin mink newt nightjar nuthatch osprey otter ouzel owl petrel pika pipit plover polecat puffin quail raven redstart robin rook sandpiper serin shrew shrike siskin skua snipe sparrow starling stoat stork swallow swan swift teal tern thrush toad vole wagtail warbler weasel wigeon wren'.split(
    ' ',
  )

/** A name for who gives none: two words, as Docker's. */
export function randomName(): string {
  return `${qualities[randomInt(qualities.length)]}_${beings[randomInt(beings.length)]}${randomInt(10)}`
}
