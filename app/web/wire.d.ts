/** What the server sends, as its page reads it; `/openapi.json` holds the same. For the type checker only, never served. */

export interface ImageSize {
  width: number;
  height: number;
  timestamp_s: number | null;
}

/** An image at the size the model saw it. */
export interface ImageRecord extends ImageSize {
  item_id: string;
}

/** A result of a search, as it was shown to the model. */
export interface ShownHit {
  item_id: string;
  modality: string;
  title: string;
  text: string;
  width?: number;
  height?: number;
  images: ImageSize[];
}

/** An image or clip that a node keeps. */
export interface NodeItem {
  item_id: string;
  modality: string;
  title: string;
  priority: number;
  energy: number | null;
  pixels: number | null;
  tokens: number | null;
  width: number;
  height: number;
  timestamps: number[];
}

/** A search node of the memory graph. */
export interface SearchNode {
  id: string;
  parents: string[];
  query: string;
  summary: string;
  dead_end: boolean;
  on_critical_path: boolean;
  items: NodeItem[];
}

/** A sentence of the answer and what the sources say of it; offsets count code points. */
export interface Claim {
  text: string;
  start: number;
  end: number;
  verdict: string;
  citation: number | null;
  quote: string;
  quote_start: number;
  quote_end: number;
  missing: string[];
}

export interface Citation {
  number: number;
  node_id: string;
  item_id: string;
  modality: string;
  title: string;
  page: number | null;
  start_s: number | null;
  times_s: number[];
}

export interface Turn {
  role: string;
  text: string;
}

export type Counters = Record<string, number>;

export interface Finished {
  ask_id: string;
  outcome: string;
  answer: string;
  claims: Claim[];
  citations: Citation[];
  nodes: SearchNode[];
  counters: Counters;
  seconds: number;
  cost: number | null;
  tokens_estimated: boolean;
  sees_pictures: boolean | null;
  notices: string[];
  svg: string;
}

export interface Observed {
  node_id: string;
  parents: string[];
  query: string;
  repeated: boolean;
  retrieved: string[];
  shown: ShownHit[];
}

export interface Remembered {
  node_id: string;
  nodes: SearchNode[];
  svg: string;
}

export interface Asked {
  call: number;
  forced: boolean;
  images: ImageRecord[];
  turns: Turn[];
}

export interface Replied {
  call: number;
  text: string;
  prompt_tokens: number;
  completion_tokens: number;
  estimated: boolean;
  finish_reason: string;
}

export interface Noticed {
  call: number;
  code: string;
  message: string;
}

/** The events of `POST /v1/ask`, by name. */
export interface AskEvents {
  started: { ask_id: string; question: string; memory: string; model: string; index: string };
  asked: Asked;
  spoke: { call: number; text: string };
  replied: Replied;
  rejected: { call: number; reason: string };
  observed: Observed;
  remembered: Remembered;
  noticed: Noticed;
  answered: { text: string; parents: string[]; forced: boolean };
  finished: Finished;
  failed: { code: string; message: string };
}

/** One event of the stream; its name tells what its data are. */
export type AskEvent = { [Name in keyof AskEvents]: { event: Name; data: AskEvents[Name] } }[keyof AskEvents];

export interface AskRequest {
  question: string;
  memory: string;
  calls: number | null;
  datasets: string[] | null;
  /** Longest silence in seconds. */
  timeout_s: number | null;
}

export interface IndexStatus {
  version: string;
  items: number;
  datasets: Record<string, number>;
  sees: boolean;
}

export interface ServerStatus {
  version: string;
  root: string;
  model: string | null;
  sees_pictures: boolean | null;
  memory: string[];
  index: IndexStatus | null;
  limits: Record<string, number>;
  upload: boolean;
}

export interface SearchHit {
  id: string;
  score: number;
  dataset: string;
  modality: string;
  title: string;
  text: string;
  media: string | null;
}

/** The answer to a search, best first. */
export interface HitList {
  hits: SearchHit[];
}

export interface ItemDetail {
  id: string;
  dataset: string;
  modality: string;
  title: string;
  text: string;
  licence: string;
  source: string;
}

export interface UploadedFile {
  items: number;
  skipped: Record<string, number>;
  seconds: number;
}

export interface RunFile {
  name: string;
  rows: number;
  bytes: number;
}

export interface RunListing {
  path: string;
  files: RunFile[];
}

export interface TrajectoryRow {
  row: number;
  dataset: string;
  question: string;
  answer: string;
  answers: string[];
  correct: boolean | null;
  outcome: string;
  memory: string;
  reward: number | null;
  advantage: number | null;
  counters: Counters;
}

export interface TrajectoryPage {
  total: number;
  offset: number;
  rows: TrajectoryRow[];
  facets: Record<string, Record<string, number>>;
}

export interface Call {
  images: ImageRecord[];
  turns: Turn[];
  text: string;
  prompt_tokens: number;
  completion_tokens: number;
}

/** The calls between two nodes; `node_id` is null for those of the answer. */
export interface Segment {
  node_id: string | null;
  pruned: boolean;
  reason: string;
  calls: Call[];
}

export interface Trajectory {
  question: string;
  answer: string;
  answers: string[];
  correct: boolean | null;
  outcome: string;
  memory: string;
  /** The objective whose credit is stored; null where none is. */
  algorithm: Record<string, string | number | boolean> | null;
  reward: number | null;
  advantage: number | null;
  counters: Counters;
  error: string;
  svg: string;
  nodes: SearchNode[];
  segments: Segment[];
}
