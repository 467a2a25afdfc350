/**
 * The shapes of what the server says; for the type checker alone.
 *
 * @typedef {{name: string, key: string, kind: string, units: number, each: number, parameter: string, activation: string, shown: number}} Column
 * @typedef {{data: Float32Array | Uint8Array, shape: number[]}} Values
 * @typedef {{name: string, activation: string, inputs: number[], z: number[], a: number[], delta: number[], weight: number[][] | null, bias: number[] | null}} Pass
 * @typedef {{split: string, number: number, target: any, refusal: string, x?: number[], y?: number[], loss?: number, kind?: string, layers?: Pass[]}} Example
 * @typedef {{kind: string, step: number, epoch: number, learning_rate: number, updates_per_second: number | null, norms?: (number | null)[], batch_loss?: number, deltas_of?: string, example?: Example, arrays: Record<string, Values>}} Frame
 * @typedef {{title: string, about: string, still: Record<string, any>}} PictureAbout
 * @typedef {{columns: Column[], pictures: PictureAbout[], inputs: number[], names: string[], classes: string[], task: string, sizes: Record<string, number>, loss: string, score: string | null, optimizer: string, seed: number, refusal: string, run: string}} Scene
 * @typedef {{name: string, kind: string, path: (string | number)[], inputs: number[], output: number[], parameters: number, note: string}} Plan
 * @typedef {{line: number | null, column: number | null, text: string, fix?: {says: string, text: string}}} Mistake
 * @typedef {{ok: boolean, says?: string, plans?: Plan[], mistakes?: Mistake[], tree?: any, variants?: string[], seeds?: number[], remarks?: string[], inputs?: number[], names?: string[], classes?: string[], task?: string, name?: string, seed?: number, sizes?: Record<string, number>, lesson?: import('./lesson.js').Parts}} Checked
 * @typedef {{kind: string, step: number, epoch: number, split: string, values: Record<string, number | null>}} Reading
 * @typedef {{running: boolean, playing: boolean, rate: number, step: number}} State
 */
export {};
