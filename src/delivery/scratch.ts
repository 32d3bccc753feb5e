/**
 * Local folders for converted files on their way to the lake. The delivery stage names what it needs; whoever composes the process
 * gives it: this room does not touch the file system itself.
 */
export interface ScratchFolders {
  /** A new, empty folder; its absolute path. */
  make(): Promise<string>;
  /** Writes a file of a folder whole, in place of what was there. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  read(path: string): Promise<Uint8Array>;
  /** Takes a file to another name. */
  move(from: string, to: string): Promise<void>;
  /** Removes a folder or file and what is in it; fine when there is none. */
  remove(path: string): Promise<void>;
  /** Writes a file of a scratch folder from its pieces; gives its bytes. */
  writePieces(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number>;
  /** The bytes of a local file, piece by piece. */
  readPieces(path: string): AsyncIterable<Uint8Array>;
  /** Removes all folders an earlier process left behind. Called once, before the first `make`. */
  sweep(): Promise<void>;
}
