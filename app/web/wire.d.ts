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
  /** The answer's Markdown as HTML, with `<span class="mark" data-claim>` behind each sentence. */
  html: string;
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

export interface Started {
  ask_id: string;
  question: string;
  memory: string;
  model: string;
  index: string;
  conversation: string | null;
  number: number;
}

/** The events of `POST /v1/ask`, by name. */
export interface AskEvents {
  started: Started;
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
  /** Keys of files; null searches all. */
  files: string[] | null;
  /** The conversation that it follows up. */
  conversation: string | null;
}

/** A question that was kept; `record` is what is known of its answer. */
export interface StoredTurn {
  id: string;
  number: number;
  question: string;
  state: string;
  created_s: number;
  memory: string;
  model: string;
  files: string[] | null;
  datasets: string[] | null;
  message: string;
  html: string;
  svg: string;
  record: AnswerRecord | null;
}

export type AnswerRecord = Omit<Finished, "ask_id" | "svg" | "html">;

export interface StoredConversation {
  id: string;
  title: string;
  created_s: number;
  updated_s: number;
  turns: StoredTurn[];
}

export interface ConversationLine {
  id: string;
  title: string;
  created_s: number;
  updated_s: number;
  turns: number;
  state: string;
  answer: string;
}

export interface ConversationPage {
  total: number;
  offset: number;
  rows: ConversationLine[];
}

export interface StoredEvents {
  state: string;
  message: string;
  events: AskEvent[];
}

/** A file of one's own; `folder` tells it apart from others of its name. */
export interface Source {
  key: string;
  name: string;
  folder: string;
  path: string;
  kind: string;
  items: number;
  bytes: number | null;
  state: string;
  reason: string;
  remarks: string[];
  same_as: string | null;
}

export interface SourcePage {
  total: number;
  offset: number;
  files: number;
  unreadable: number;
  pending: boolean;
  rows: Source[];
}

/** Where words stand on a page: shares of its width and height. */
export interface Place {
  page: number | null;
  how: string;
  boxes: { x: number; y: number; width: number; height: number }[];
  /** Into the film at which the words are said. */
  second: number | null;
}

export interface Film {
  key: string;
  name: string;
  media_type: string;
  tracks: { label: string; language: string; href: string }[];
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
  page: number | null;
  start_s: number | null;
  duration_s: number;
  file: string | null;
}

export interface UploadedFile {
  items: number;
  skipped: Record<string, number>;
  /** Whether it took the place of another file of this name. */
  replaced: boolean;
  seconds: number;
}

/** What is done with a file at the moment. */
export interface ReadingStage {
  stage: string;
  done: number;
  total: number | null;
  seconds: number;
}

export interface Reading {
  reading: ReadingStage | null;
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
