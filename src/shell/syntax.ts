/** The syntax tree: that of the bought parser, with what src/shell/parser.ts adds to it. */
import type {
  CommandNode as ParsedCommand,
  PipelineNode,
  ScriptNode,
  SimpleCommandNode,
  StatementNode,
  WordNode,
} from 'just-bash'

export type { PipelineNode, ScriptNode, StatementNode, WordNode }

/** A command as parsed: the parser's own, and the forms it does not know. */
export type CommandNode = ParsedCommand

type Node<T extends CommandNode['type']> = Extract<CommandNode, { type: T }>

/** `for` and, marked, `select`. */
export interface ForNode extends Node<'For'> {
  select?: true
}
/** `coproc NAME command` is a function definition of that name, marked. */
export interface FunctionDefNode extends Node<'FunctionDef'> {
  coproc?: true
}
/** Array assignments among the arguments of a declaration command, by the index of the argument. */
export interface SimpleNode extends SimpleCommandNode {
  declared?: Map<number, AssignmentNode>
}
export type IfNode = Node<'If'>
export type CStyleForNode = Node<'CStyleFor'>
export type WhileNode = Node<'While'>
export type UntilNode = Node<'Until'>
export type CaseNode = Node<'Case'>
export type SubshellNode = Node<'Subshell'>
export type GroupNode = Node<'Group'>
export type ArithmeticCommandNode = Node<'ArithmeticCommand'>
export type ConditionalCommandNode = Node<'ConditionalCommand'>
export type CompoundNode = Exclude<CommandNode, SimpleCommandNode | Node<'FunctionDef'>>
export type AssignmentNode = SimpleCommandNode['assignments'][number]
export type RedirectionNode = SimpleCommandNode['redirections'][number]
export type HereDocNode = Extract<RedirectionNode['target'], { type: 'HereDoc' }>
export type ConditionalNode = ConditionalCommandNode['expression']
export type ArithmeticNode = ArithmeticCommandNode['expression']
export type WordPart = WordNode['parts'][number]
export type PartNode<T extends WordPart['type']> = Extract<WordPart, { type: T }>
export type ParameterPart = PartNode<'ParameterExpansion'>
export type ParameterOperation = NonNullable<ParameterPart['operation']>
export type BraceItem = PartNode<'BraceExpansion'>['items'][number]

/** ${x~}: letters change to the other case. */
export type ToggleCase = Extract<ParameterOperation, { type: 'CaseModification' }> & { toggle?: true }

/** Characters no script can hold (all its characters are bytes) that mark places in a text handed to the parser. */
export const MARK_NOTHING = '\ue000'
/** Stands, followed by a number, for an array assignment that is an argument of a declaration command. */
export const MARK_ARRAY = '\ue001'
/** Stands, followed by its line and two underscores, before the variable of a loop. */
export const FOR_PREFIX = '__for__'
export const SELECT_PREFIX = '__select__'
export const COPROC_PREFIX = '__coproc__'
/** Stands, followed by a number, for the text of an arithmetic expression. */
export const MARK_ARITHMETIC = '\ue002'
export const NESTED_PREFIX = '__nested__'
/** Stand for the characters of brace expansions, which the parser must not read. */
export const MARK_OPEN = '\ue003'
export const MARK_COMMA = '\ue004'
export const MARK_CLOSE = '\ue005'
/** Stands for an opening brace that begins no brace expansion. */
export const MARK_BRACE = '\ue006'

/** @returns the text of an arithmetic expression, as written */
export function arithmeticSource(node: ArithmeticNode | null): string {
  return node?.originalText ?? ''
}
