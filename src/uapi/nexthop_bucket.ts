/** Buckets of resilient next hop groups in rtnetlink. */

export const RTM_NEWNEXTHOPBUCKET = 116
export const RTM_DELNEXTHOPBUCKET = 117
export const RTM_GETNEXTHOPBUCKET = 118

/** RTM_*NEXTHOPBUCKET: nhmsg with the attributes of one bucket. */
export interface NexthopBucketMessage {
  readonly type: typeof RTM_NEWNEXTHOPBUCKET | typeof RTM_DELNEXTHOPBUCKET | typeof RTM_GETNEXTHOPBUCKET
  flags: number
  family: number
  scope: number
  protocol: number
  /** RTNH_F_… */
  nhFlags: number
  attrs: {
    /** the group */
    id?: number
    /** in requests: only buckets whose next hop leaves through this device, or a port of this master */
    oif?: number
    master?: number
    bucket?: {
      index?: number
      /** since a packet last used the bucket, hundredths of a second */
      idleTime?: number
      nhId?: number
    }
  }
  nsid?: number
}
