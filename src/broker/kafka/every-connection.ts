/**
 * Ends every connection that a Kafka client ever made. The client has one for each broker, by its address; when one fails and another is
 * made before the first is closed, the end of the first makes it forget the second, which it then never ends: a process would not end
 * either, until Kafka gives that connection up after minutes.
 */
import type { Admin } from '@platformatic/kafka';

type Connections = Admin['connections'];
type Connection = Awaited<ReturnType<Connections['get']>>;

export interface EveryConnection {
  /** Once the client is closed. */
  end(): void;
}

export function everyConnection({ connections }: { readonly connections: Connections }): EveryConnection {
  const made = new Set<Connection>();
  connections.on('connecting', ({ connection }) => {
    made.add(connection);
    connection.once('close', () => made.delete(connection));
  });
  connections.on('failed', ({ connection }) => made.delete(connection));
  return {
    end() {
      for (const { socket } of made) socket.destroy();
      made.clear();
    },
  };
}
