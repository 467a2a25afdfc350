/** The pictures of a run: of each title of `nnlab/display/pictures` the tab, and what draws it here. */

/** @import { Frame } from './types.js' */

/**
 * @typedef {{still: Record<string, any>, choose: (split: string, number: number) => void}} Given
 * @typedef {{element: HTMLElement, update: (frame: Frame) => void}} Picture
 * @typedef {new (given: Given) => Picture} Kind
 */

/** A run has two or three of them: what draws one is fetched when it is looked at. @type {Record<string, {tab: string, load: () => Promise<Kind>}>} */
export const PICTURES = {
  'decision boundary': { tab: 'Boundary', load: async () => (await import('./boundary.js')).DecisionBoundary },
  'fitted function': { tab: 'Function', load: async () => (await import('./fitted.js')).FittedFunction },
  predictions: { tab: 'Predictions', load: async () => (await import('./images.js')).Predictions },
  "first layer's weights": { tab: 'First weights', load: async () => (await import('./images.js')).FirstWeights },
  'last hidden layer': { tab: 'Hidden space', load: async () => (await import('./places.js')).HiddenSpace },
  'where answers come from': { tab: 'Where answers come from', load: async () => (await import('./answer_parts.js')).AnswerParts },
  descent: { tab: 'Descent', load: async () => (await import('./places.js')).Descent },
};
