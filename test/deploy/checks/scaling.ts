import { clusterTopics } from '../../../src/cluster/topics.ts';
import type { Manifest } from '../render.ts';
import { configOf } from './config.ts';
import { type Check, named, ofKind, type Report } from './index.ts';

/** Each scaled workload exists, has one scaler and no `replicas`, and the scaler's metrics match its config. */
export const scaling: Check = (objects, report) => {
  const scaled = new Set<string>();
  for (const scaler of [...ofKind(objects, 'HorizontalPodAutoscaler'), ...ofKind(objects, 'ScaledObject')]) {
    const {
      scaleTargetRef,
      minReplicas,
      maxReplicas,
      minReplicaCount,
      maxReplicaCount,
      triggers = [],
    } = scaler.spec;
    const { name } = scaleTargetRef;
    const target = named(objects, scaleTargetRef.kind ?? 'Deployment', name);
    if (!target) {
      report(scaler, `scales ${name}, which is not in these manifests`);
      continue;
    }
    if (scaled.has(name)) report(scaler, `${name} has another scaler`);
    scaled.add(name);
    if (target.spec.replicas !== undefined)
      report(target, 'has replicas and a scaler: each apply would reset the number of workers');
    const max = maxReplicas ?? maxReplicaCount;
    if (!((minReplicas ?? minReplicaCount) >= 1 && max >= 1)) report(scaler, 'has no bounds');
    const config = configOf(objects, target);
    if (!config) continue;
    const { kafka, cluster } = config;
    if (max > partitions(objects, kafka.topics.partitions))
      report(scaler, 'allows more workers than au.crops has partitions');
    for (const { type, metadata, authenticationRef } of triggers)
      if (type === 'kafka') {
        const topic = clusterTopics(kafka.topicPrefix).crops;
        if (metadata.consumerGroup !== `${cluster.group}-infer`)
          report(scaler, `reads the lag of the group ${metadata.consumerGroup}, which no worker uses`);
        if (metadata.topic !== topic)
          report(scaler, `reads the lag of ${metadata.topic} instead of ${topic}`);
        checkBrokers(scaler, metadata.bootstrapServers, kafka.brokers ?? [], report);
        const { tls, sasl } = kafka;
        if (Boolean(tls) !== (metadata.tls === 'enable'))
          report(scaler, `${tls ? 'does not use' : 'uses'} TLS, unlike the workers`);
        if ((tls?.certificate || sasl) && !named(objects, 'TriggerAuthentication', authenticationRef?.name))
          report(
            scaler,
            'has no TriggerAuthentication in these manifests, but the brokers require authentication',
          );
      }
  }
};

/** The brokers are those of the workers; KEDA runs in another namespace and must add theirs to the name. */
function checkBrokers(
  scaler: Manifest,
  bootstrapServers: string,
  own: readonly string[],
  report: Report,
): void {
  const short = bootstrapServers.replace(`.${scaler.metadata.namespace}:`, ':');
  if (!own.includes(short))
    report(scaler, `uses brokers ${bootstrapServers}, the workers use ${own.join(', ')}`);
}

function partitions(objects: readonly Manifest[], inConfig: number): number {
  return named(objects, 'KafkaTopic', 'au.crops')?.spec.partitions ?? inConfig;
}
