/** The syntax tree of awk programs. */

export type Expr =
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  /** a bare /re/: matches $0, but is an expression where one is wanted */
  | { readonly type: 'regex'; readonly source: string }
  | { readonly type: 'variable'; readonly name: string }
  | { readonly type: 'field'; readonly index: Expr }
  | { readonly type: 'element'; readonly array: string; readonly subscript: readonly Expr[] }
  | { readonly type: 'in'; readonly subscript: readonly Expr[]; readonly array: string }
  | { readonly type: 'group'; readonly inner: Expr }
  | { readonly type: 'unary'; readonly op: '!' | '-' | '+'; readonly operand: Expr }
  | { readonly type: 'binary'; readonly op: string; readonly left: Expr; readonly right: Expr }
  | { readonly type: 'conditional'; readonly test: Expr; readonly yes: Expr; readonly no: Expr }
  | { readonly type: 'assign'; readonly op: string; readonly target: Expr; readonly value: Expr }
  | { readonly type: 'increment'; readonly by: 1 | -1; readonly prefix: boolean; readonly target: Expr }
  | { readonly type: 'match'; readonly negated: boolean; readonly left: Expr; readonly right: Expr }
  | { readonly type: 'call'; readonly name: string; readonly args: readonly Expr[] }
  | { readonly type: 'builtin'; readonly name: string; readonly args: readonly Expr[] }
  | {
      readonly type: 'getline'
      readonly from: 'input' | 'file' | 'command'
      readonly source: Expr | undefined
      readonly target: Expr | undefined
    }

export interface Redirect {
  readonly kind: '>' | '>>' | '|'
  readonly target: Expr
}

export type Stmt =
  | { readonly type: 'block'; readonly body: readonly Stmt[] }
  | { readonly type: 'expression'; readonly expression: Expr }
  | { readonly type: 'print'; readonly args: readonly Expr[]; readonly redirect: Redirect | undefined }
  | { readonly type: 'printf'; readonly args: readonly Expr[]; readonly redirect: Redirect | undefined }
  | { readonly type: 'if'; readonly test: Expr; readonly yes: Stmt; readonly no: Stmt | undefined }
  | { readonly type: 'while'; readonly test: Expr; readonly body: Stmt }
  | { readonly type: 'do'; readonly body: Stmt; readonly test: Expr }
  | {
      readonly type: 'for'
      readonly init: Stmt | undefined
      readonly test: Expr | undefined
      readonly step: Stmt | undefined
      readonly body: Stmt
    }
  | { readonly type: 'forIn'; readonly variable: string; readonly array: string; readonly body: Stmt }
  | { readonly type: 'break' | 'continue' | 'next' | 'nextfile' }
  | { readonly type: 'exit' | 'return'; readonly value: Expr | undefined }
  | { readonly type: 'delete'; readonly array: string; readonly subscript: readonly Expr[] | undefined }

export interface Rule {
  readonly kind: 'BEGIN' | 'END' | 'pattern' | 'range'
  readonly first: Expr | undefined
  readonly second: Expr | undefined
  /** absent: the record is printed */
  readonly body: Stmt | undefined
}

export interface FunctionDefinition {
  readonly name: string
  readonly parameters: readonly string[]
  readonly body: Stmt
}

export interface AwkProgram {
  readonly rules: readonly Rule[]
  readonly functions: ReadonlyMap<string, FunctionDefinition>
}
